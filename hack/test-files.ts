import { execFileSync } from 'node:child_process'

/** Paths of the files whose tests may prove something by name: what is in git, for what is not proves nothing yet. */
export function testFiles(root: string): string[] {
  const patterns = ['*.test.ts', '*_test.go', '*.scenario']
  const listed = execFileSync('git', ['ls-files', '-z', '--', ...patterns], { cwd: root, encoding: 'utf8' })
  // The tests of those who read names have examples in them.
  const about = /^hack\/(?:parity|defects)\//
  return listed
    .split('\0')
    .filter(path => path !== '' && !about.test(path))
    .sort()
}
