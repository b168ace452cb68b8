import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerHeldBack, startCountingProxy } from '../support/counting-proxy.ts'
import { hasPseudoTerminal, PseudoTerminal } from '../support/pseudo-terminal.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const ESCAPE = '\x1b'

describe.skipIf(!hasPseudoTerminal)('nullpool connections in a pseudo-terminal', () => {
  let database: TestDatabase
  let shop: postgres.Sql
  let url: string
  beforeAll(async () => {
    database = await createTestDatabase()
    url = database.url(database.servers.postgres)
    shop = postgres(url, { max: 3, connection: { application_name: 'shop' } })
    await Promise.all([1, 2, 3].map(() => shop`select pg_sleep(0.2)`))
  })
  afterAll(async () => {
    await shop.end()
    await database[Symbol.asyncDispose]()
  })

  function open(options: { columns?: number; rows?: number; environment?: object } = {}) {
    return new PseudoTerminal(['connections', url, '--watch', '0.3'], options as object)
  }

  it('fills 80 columns and 24 rows, with limit lines, sparklines and the keys', async () => {
    await using terminal = open()
    await terminal.shows((screen) => screen.includes('shop') && screen.includes('q quit'))
    expect(terminal.buffer).toBe('alternate')
    const lines = terminal.lines()
    expect(lines).toHaveLength(24)
    expect(lines[0]).toMatch(/^ \d+ of 300 connections {2}127\.0\.0\.1:\d+\/nullpool_/)
    expect(lines.find((line) => line.includes('80 % 240'))).toMatch(/┄{60,}/)
    expect(lines.find((line) => line.includes('40 % 120'))).toMatch(/┄{60,}/)
    await terminal.shows((screen) => /tx\/s [\d.]+ .*[▁▂▃▄▅▆▇█]{2}/.test(screen))
    expect(lines.at(-1)).toMatch(/s sort: connections.*\/ filter.*p pause.*q quit/)
    expect(lines.find((line) => line.includes('shop'))).toMatch(/^ +3 \w+ +postgres/)
    terminal.type('q')
    await terminal.exited
    expect(terminal.output).toContain('as before, code 0')
  })

  it('ends at the first Ctrl-C while a look hangs', async () => {
    const proxy = await startCountingProxy({ target: database.servers.postgres })
    const slow = database.url({ ...database.servers.postgres, port: proxy.port })
    await using terminal = new PseudoTerminal(['connections', slow, '--watch', '0.3'])
    await terminal.shows((screen) => screen.includes('q quit'))
    await answerHeldBack(proxy)
    terminal.type('\x03')
    await terminal.exited
    expect(terminal.output).toContain('as before, code 0')
    await proxy.stop()
  })

  it('sorts, filters and pauses', async () => {
    await using terminal = open()
    await terminal.shows((screen) => screen.includes('sort: connections'))
    terminal.type('s')
    await terminal.shows((screen) => screen.includes('sort: oldest'))
    terminal.type('/')
    await terminal.shows((screen) => screen.includes('Enter keeps'))
    terminal.type('shopq\x7f\r')
    await terminal.shows((screen) => screen.includes('/ filter: shop (Esc clears)'))
    const rows = terminal.lines().filter((line) => /^ +\d+ (unknown|direct|pooled)/.test(line))
    expect(rows).toHaveLength(1)
    expect(rows[0]).toContain('shop')
    terminal.type('p')
    await terminal.shows((screen) => screen.includes('paused') && screen.includes('p go on'))
    const before = terminal.lines()
    const late = postgres(url, { max: 1, connection: { application_name: 'shop' } })
    await late`select 1`
    // Another view sees it, and so would this one.
    await using other = open()
    await other.shows((screen) => /^ +4 .* shop /m.test(screen))
    expect(terminal.lines()).toEqual(before)
    terminal.type('p')
    await terminal.shows((screen) => /^ +4 .* shop /m.test(screen))
    terminal.type('\x1b')
    await terminal.shows((screen) => screen.includes('nullpool …'))
    await late.end()
    terminal.type('q')
    await terminal.exited
  })

  it('follows the size of the window', async () => {
    await using terminal = open()
    await terminal.shows((screen) => screen.includes('q quit'))
    await terminal.resize(120, 40)
    await terminal.shows((screen) => screen.split('\n')[39]?.includes('q quit') ?? false)
    expect(terminal.lines().find((line) => line.includes('80 % 240'))).toMatch(/┄{100,}/)
    await terminal.resize(40, 10)
    await terminal.shows((screen) => {
      const lines = screen.split('\n')
      return / of 300 connections/.test(lines[0] ?? '') && (lines[9] ?? '').includes('s sort')
    })
    expect(terminal.lines().join('\n')).not.toContain('80 % 240')
    terminal.type('q')
    await terminal.exited
    expect(terminal.output).toContain('as before, code 0')
  })

  it.each([
    ['q', (terminal: PseudoTerminal) => terminal.type('q')],
    ['Ctrl-C', (terminal: PseudoTerminal) => terminal.type('\x03')],
    ['SIGTERM', (terminal: PseudoTerminal) => terminal.signal('SIGTERM')],
    ['SIGHUP', (terminal: PseudoTerminal) => terminal.signal('SIGHUP')],
    ['SIGINT', (terminal: PseudoTerminal) => terminal.signal('SIGINT')],
  ] as const)('gives the terminal back as it was after %s', async (_name, end) => {
    await using terminal = open()
    await terminal.shows((screen) => screen.includes('q quit'))
    end(terminal)
    await terminal.exited
    expect(terminal.output).toMatch(/as before, code 0\s*$/)
    expect(terminal.buffer).toBe('normal')
    // The cursor is seen again, and lines wrap.
    expect(terminal.output.lastIndexOf('\x1b[?25h')).toBeGreaterThan(
      terminal.output.lastIndexOf('\x1b[?25l'),
    )
    expect(terminal.output.lastIndexOf('\x1b[?7h')).toBeGreaterThan(
      terminal.output.lastIndexOf('\x1b[?7l'),
    )
  })

  it('has colours, and none with NO_COLOR', async () => {
    const colours = new RegExp(`${ESCAPE}\\[3[0-7]m`)
    await using coloured = open()
    await coloured.shows((screen) => screen.includes('q quit'))
    expect(coloured.output).toMatch(colours)
    await using plain = open({ environment: { NO_COLOR: '1' } })
    await plain.shows((screen) => screen.includes('q quit'))
    expect(plain.output).not.toMatch(colours)
  })

  it('obeys nothing that a role has in its name', async () => {
    const name = 'evil \x1b]0;taken\x07 role'
    await database.sql`create role ${database.sql(name)} login password 'of no use'`
    const { host, port } = database.servers.postgres
    const intruder = postgres({
      host,
      port,
      user: name,
      password: 'of no use',
      database: database.name,
      max: 1,
    })
    await intruder`select 1`
    try {
      await using terminal = open({ columns: 140 })
      await terminal.shows((screen) => screen.includes('evil ·]0;taken· role'))
      expect(terminal.output).not.toContain('\x1b]0;')
    } finally {
      await intruder.end()
      await database.sql`drop role ${database.sql(name)}`
    }
  })
})
