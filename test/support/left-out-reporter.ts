import type { Reporter, TestModule } from 'vitest/node'

/**
 * Says in the last lines of a run what it left out. On CI nothing may be left out.
 */
export default class LeftOutReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const leftOut = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map(
        (test) => `${module.project.name}: ${module.relativeModuleId}: ${test.fullName}`,
      ),
    )
    if (leftOut.length === 0) return
    const lines = [`Left out ${leftOut.length} tests:`, ...leftOut.map((name) => `  ${name}`)]
    if (!leftOut.length) return
    lines.push('Is PgBouncer installed? apt-get install pgbouncer, or brew install pgbouncer')
    if (leftOut.some((name) => name.includes('Chromium'))) {
      lines.push('Is Chromium installed? apt-get install chromium, or CHROMIUM=<its path>')
    }
    if (leftOut.some((name) => name.includes('Prometheus'))) {
      lines.push(
        'Is Prometheus installed? apt-get install --no-install-recommends prometheus, or PROMETHEUS=<its path>',
      )
    }
    if (leftOut.some((name) => name.includes('pseudo-terminal'))) {
      lines.push('Is script of util-linux installed? apt-get install bsdutils')
    }
    process.stdout.write(`\n${lines.join('\n')}\n`)
    if (process.env.CI) process.exitCode = 1
  }
}
