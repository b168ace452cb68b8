import { mkdir } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath, launchChromium } from '../support/chromium.ts'
import { CommandLine } from '../support/command-line.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const screenshots = join(tmpdir(), 'nullpool-screenshots')

let database: TestDatabase
let shop: postgres.Sql
let url: string
let secrets: string[]
beforeAll(async () => {
  database = await createTestDatabase()
  url = database.url(database.servers.postgres)
  secrets = [database.servers.postgres.password]
  shop = postgres(url, { max: 2, connection: { application_name: '<b>shop</b>' } })
  await Promise.all([1, 2].map(() => shop`select pg_sleep(0.1)`))
})
afterAll(async () => {
  await shop.end()
  await database[Symbol.asyncDispose]()
})

async function serve(...more: string[]): Promise<{ command: CommandLine; origin: string }> {
  const command = new CommandLine(['connections', url, '--web', '--watch', '0.3', ...more])
  const address = /The page is on (http:\/\/127\.0\.0\.1:\d+)/
  await command.until(({ stderr }) => address.test(stderr))
  return { command, origin: address.exec(command.printed.stderr)?.[1] ?? '' }
}

/** What a server answers to a name of its own or another's. */
function statusFor(origin: string, path: string, host: string, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, origin), { method, headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    asked.on('error', reject).end()
  })
}

describe('the server of nullpool connections --web', () => {
  it('answers to its own name and to no other', async () => {
    const { command, origin } = await serve()
    await using _ = command
    const { port } = new URL(origin)
    for (const path of ['/', '/events', '/page.js']) {
      expect(await statusFor(origin, path, `evil.example:${port}`)).toBe(421)
      expect(await statusFor(origin, path, `127.0.0.1.evil.example:${port}`)).toBe(421)
      expect(await statusFor(origin, path, '127.0.0.1')).toBe(421)
    }
    expect(await statusFor(origin, '/', `localhost:${port}`)).toBe(200)
    expect(await statusFor(origin, '/', `127.0.0.1:${port}`, 'POST')).toBe(405)
    expect(await statusFor(origin, '/__proto__', `127.0.0.1:${port}`)).toBe(404)
  })

  it('allows the page its own files alone, and gives it no secret', async () => {
    const { command, origin } = await serve('--queries')
    await using _ = command
    const page = await fetch(origin)
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'/,
    )
    expect(page.headers.get('access-control-allow-origin')).toBeNull()
    const texts = [await page.text()]
    for (const path of ['/page.js', '/page.css']) {
      texts.push(await (await fetch(new URL(path, origin))).text())
    }
    const events = await fetch(new URL('/events', origin))
    for await (const chunk of events.body ?? []) {
      texts.push(new TextDecoder().decode(chunk))
      if (texts.at(-1)?.includes('event: look')) break
    }
    const all = texts.join('\n')
    expect(all).toContain('event: look')
    for (const secret of secrets) expect(all).not.toContain(secret)
    expect(all).not.toMatch(/postgres(ql)?:\/\//)
    // Nothing comes from elsewhere.
    expect(texts[0]).not.toMatch(/(src|href)="(https?:)?\/\//)
  })

  it('listens on this machine alone, and ends when it is told to', async () => {
    const refused = new CommandLine(['connections', url, '--web', '0.0.0.0:0'])
    expect(await refused.exitCode).toBe(2)
    expect(refused.printed.stderr).toContain('The page is for this machine alone')
    const { command, origin } = await serve()
    const stream = await fetch(new URL('/events', origin))
    command.interrupt()
    expect(await command.exitCode).toBe(0)
    await stream.body?.cancel().catch(() => undefined)
    await expect(fetch(origin)).rejects.toThrow()
  })
})

describe.skipIf(chromiumPath === undefined)('the page in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
    await mkdir(screenshots, { recursive: true })
  })
  afterAll(() => browser?.close())

  async function open(
    origin: string,
    colorScheme: 'light' | 'dark',
    viewport = { width: 1280, height: 900 },
  ): Promise<{ page: Page; problems: string[] }> {
    const page = await browser.newPage({ colorScheme, viewport })
    const problems: string[] = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text())
    })
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('request', (asked) => {
      if (new URL(asked.url()).origin !== origin) problems.push(`asked for ${asked.url()}`)
    })
    await page.goto(origin)
    await page.getByText('Live', { exact: true }).waitFor()
    await page.locator('#connections-chart canvas').waitFor()
    return { page, problems }
  }

  it.each(['light', 'dark'] as const)('draws live charts, in %s colours', async (scheme) => {
    const { command, origin } = await serve()
    await using _ = command
    const { page, problems } = await open(origin, scheme)
    const first = await inkOf(page)
    expect(first).toBeGreaterThan(100)
    // More comes in: the line grows by itself.
    await expect.poll(() => inkOf(page)).not.toBe(first)
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    expect(background).toBe(scheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 26)')
    await page.screenshot({ path: join(screenshots, `connections-${scheme}.png`), fullPage: true })
    expect(problems).toEqual([])
    await page.close()
  })

  it('names everything for those who cannot see it', async () => {
    const { command, origin } = await serve()
    await using _ = command
    const { page } = await open(origin, 'light')
    for (const name of [
      /^Connections of the server \d+ of 300 in use; 40 % is 120, 80 % is 240$/,
      /^Clients \d+ clients, 0 waiting$/,
      /^Transactions a second/,
    ]) {
      await page.getByRole('img', { name }).waitFor()
    }
    for (const name of ['Who is connected', 'Pools', 'Idle in transaction']) {
      await page.getByRole('table', { name }).waitFor()
    }
    await page.getByRole('searchbox', { name: 'Filter' }).waitFor()
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Connections')
    expect(await page.locator('html').getAttribute('lang')).toBe('en')
    await page.close()
  })

  it('shows texts of the server as texts, and filters them', async () => {
    const { command, origin } = await serve()
    await using _ = command
    const { page } = await open(origin, 'light')
    const row = page.getByRole('row', { name: /<b>shop<\/b>/ })
    await row.waitFor()
    expect(await page.locator('#groups b').count()).toBe(0)
    expect(await row.getByRole('cell').first().textContent()).toBe('2')
    await page.getByRole('searchbox').fill('SHOP')
    await expect.poll(() => page.locator('#groups tbody tr').count()).toBe(1)
    await page.close()
  })

  it('warns as soon as there is something to warn of', async () => {
    const { command, origin } = await serve('--idle-limit', '0.5', '--queries')
    await using _ = command
    const { page, problems } = await open(origin, 'light')
    await page
      .getByRole('listitem')
      .filter({ hasText: /^None$/ })
      .waitFor()
    const held = await shop.reserve()
    await held`begin`
    await held.unsafe("select 'a secret value', 4711")
    await page.getByText(/1 idle in transaction for more than 0.5 seconds/).waitFor()
    await page.getByRole('cell', { name: 'select ?, ?' }).waitFor()
    expect(await page.content()).not.toMatch(/a secret value|4711/)
    await page.screenshot({ path: join(screenshots, 'connections-warning.png'), fullPage: true })
    await held`rollback`
    held.release()
    await page
      .getByRole('listitem')
      .filter({ hasText: /^None$/ })
      .waitFor()
    expect(problems).toEqual([])
    await page.close()
  })

  it('fits a telephone', async () => {
    const { command, origin } = await serve()
    await using _ = command
    const { page } = await open(origin, 'dark', { width: 360, height: 740 })
    const isWider = await page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    )
    expect(isWider).toBe(false)
    await page.screenshot({ path: join(screenshots, 'connections-telephone.png') })
    await page.close()
  })
})

/** Coloured points of the first chart. */
async function inkOf(page: Page): Promise<number> {
  return await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('#connections-chart canvas')
    if (!canvas) return 0
    // A copy: reading the canvas itself would change how the browser draws it.
    const copy = new OffscreenCanvas(canvas.width, canvas.height)
    const context = copy.getContext('2d', { willReadFrequently: true })
    if (!context) return 0
    context.drawImage(canvas, 0, 0)
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
    let ink = 0
    for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 0) > 0) ink++
    return ink
  })
}
