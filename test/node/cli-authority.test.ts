import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { makeFolder } from '../support/local-machine.ts'
import { runNullpool } from '../support/run-nullpool.ts'

const { caFile } = inject('servers')
// Nobody listens there: the file is looked at first.
const NOWHERE = 'postgres://u:p@127.0.0.1:1/d'

describe.each(['doctor', 'connections', 'pool-size'])('nullpool %s --ca', (command) => {
  let folder: string
  beforeAll(async () => {
    folder = await makeFolder()
    const pem = await readFile(caFile, 'utf8')
    const { privateKey } = generateKeyPairSync('ed25519')
    await writeFile(join(folder, 'empty'), '')
    await writeFile(join(folder, 'key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await writeFile(join(folder, 'der'), new X509Certificate(pem).raw)
    await writeFile(join(folder, 'other'), 'hello')
    await writeFile(join(folder, 'broken'), pem.replace(/\n.{64}\n/, '\n'))
  })

  it.for([
    ['empty', 'of --ca holds no certificate in PEM. It is empty.'],
    ['key', 'of --ca holds no certificate in PEM. It holds a private key'],
    ['der', 'of --ca holds no certificate in PEM. It is one in DER: openssl x509 -inform der'],
    ['other', 'of --ca holds no certificate in PEM. Give the root certificate'],
    ['broken', 'of --ca holds a certificate that cannot be read.'],
    ['missing', 'of --ca cannot be read (ENOENT).'],
  ] as const)('%s', async ([file, words]) => {
    const path = join(folder, file)
    const { code, output, errors } = await runNullpool([command, NOWHERE, '--ca', path])
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(errors).toContain(`nullpool: The file ${path} ${words}`)
  })
})
