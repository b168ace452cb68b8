import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { DoctorReport, StepName, StepReport } from '../../src/cli/doctor/report.ts'
import { doctorReportSchema } from './doctor-report-schema.ts'

/** What the command has answered. */
export interface DoctorRun {
  stdout: string
  stderr: string
  exitCode: number | null
}

export interface DoctorSurroundings {
  /** Nothing else is in its environment but what finds programs. */
  environment?: Readonly<Record<string, string>>
  /** Default: a folder without configuration. */
  directory?: string
}

const COMMAND = fileURLToPath(new URL('../../dist/cli/nullpool.js', import.meta.url))

/** Runs the built `nullpool doctor` as a process of its own, in a pipe. */
export async function runDoctor(
  parameters: readonly string[],
  { environment = {}, directory = tmpdir() }: DoctorSurroundings = {},
): Promise<DoctorRun> {
  const child = spawn(process.execPath, [COMMAND, 'doctor', ...parameters], {
    cwd: directory,
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [exitCode] = await closed
  return { stdout, stderr, exitCode }
}

/** The same with `--json`, read; throws where the output is not one JSON document of the promised shape. */
export async function examine(
  parameters: readonly string[],
  surroundings?: DoctorSurroundings,
): Promise<DoctorReport> {
  const { stdout, stderr } = await runDoctor([...parameters, '--json'], surroundings)
  if (stderr !== '') throw new Error(`The doctor wrote to its error output: ${stderr}`)
  return doctorReportSchema.parse(JSON.parse(stdout)) as DoctorReport
}

/** A step of a report. */
export function step(report: DoctorReport, name: StepName): StepReport {
  const found = report.steps.find((one) => one.step === name)
  if (!found) throw new Error(`There is no step ${name}.`)
  return found
}

/** The first line that tells a failure, as a person meets it. */
export function firstFailingLine(stdout: string): string {
  return stdout.split('\n').find((line) => line.startsWith('✘')) ?? ''
}
