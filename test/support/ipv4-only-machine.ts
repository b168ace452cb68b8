// A machine without IPv6: a network namespace with the IPv4 half of a loopback interface. Run as a program
// this file is what happens inside of it: a name server, and the doctor that asks it.
import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startNameServer } from './name-server.ts'
import { type DoctorRun, runDoctor } from './run-doctor.ts'

const execute = promisify(execFile)
const FILE = fileURLToPath(import.meta.url)

/** Whether this machine makes network namespaces. */
export async function hasNetworkNamespaces(): Promise<boolean> {
  return await execute('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).then(
    () => true,
    () => false,
  )
}

/** The doctor’s answer on such a machine, where a name has these IPv6 addresses and no other. */
export async function doctorWithoutIpv6(
  url: string,
  name: string,
  aaaa: string,
): Promise<DoctorRun> {
  const inside = `ip link set lo up && exec "$0" "$@"`
  const program = [process.execPath, FILE, url, name, aaaa]
  const { stdout } = await execute('unshare', ['-rn', 'sh', '-c', inside, ...program])
  return JSON.parse(stdout) as DoctorRun
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === FILE) {
  const [, , url = '', name = '', aaaa = ''] = process.argv
  await using server = await startNameServer({ [name]: { aaaa: [aaaa] } })
  process.stdout.write(JSON.stringify(await runDoctor([url, '--resolver', server.address])))
}
