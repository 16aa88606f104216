/** The version of the command and of the agent. */
export const version = '0.1.0'
