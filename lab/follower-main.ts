import { noAgents, realAgents } from './agents.ts'
import { follow } from './kube/follow.ts'
import { openLabApi } from './kube/lab-api.ts'

/**
 * The follower of one lab, a process of its own: `node follower-main.ts LAB [COMMAND…]`, COMMAND being how kpng is
 * started for the agents of new nodes; none without.
 */
const [lab = '', ...command] = process.argv.slice(2)
const agents = command.length === 0 ? noAgents : realAgents(command)
await follow(lab, openLabApi(lab), agents, line => process.stderr.write(`${line}\n`))
