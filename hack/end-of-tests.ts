/**
 * Loaded into every test file before its own code (node --import): a file whose tests are done, but which has left
 * open something that keeps it alive, fails and ends, instead of holding up the whole run. Node's --test-force-exit
 * ends such files too, but at times before the last results have reached the runner, which then counts them as never
 * asked for.
 */
import { after } from 'node:test'

/** For the file's own clean-up, which comes after this one was asked. */
const graceMs = 20_000

// In the runner itself there are no tests.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  after(() => {
    setTimeout(() => {
      process.stderr.write(`left open by the tests: ${process.getActiveResourcesInfo().join(', ')}\n`)
      process.exit(1)
    }, graceMs).unref()
  })
}
