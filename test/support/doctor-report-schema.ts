import { z } from 'zod'
import { STEPS } from '../../src/cli/doctor/report.ts'

const stepName = z.enum(STEPS)

const note = z.strictObject({
  level: z.enum(['error', 'warning', 'info']),
  code: z.string().regex(/^([a-z0-9-]+|ERR_[A-Z_]+)$/),
  message: z.string().min(1),
  fix: z.string().min(1).optional(),
})

const nullableText = z.string().nullable()
const profile = z.enum(['universal', 'pipelined', 'direct', 'hyperdrive'])
const mode = z.enum(['transaction', 'session', 'direct', 'unknown'])

/** What each step tells where it came to its end; an empty object where it did not. */
const DATA: Record<(typeof STEPS)[number], z.ZodType> = {
  configuration: z.strictObject({
    kind: z.enum(['argument', 'environment', 'dev-vars', 'dotenv', 'wrangler']),
    name: z.string(),
    file: nullableText,
  }),
  'connection-string': z.strictObject({
    ...{ host: z.string(), port: z.int(), user: z.string(), database: z.string() },
    ...{ provider: z.string(), statedMode: mode, writtenAs: nullableText },
  }),
  dns: z.strictObject({
    a: z.array(z.ipv4()),
    aaaa: z.array(z.ipv6()),
    resolver: nullableText,
    lookupMs: z.number().optional(),
  }),
  reach: z.strictObject({
    port: z.int(),
    machineHasIpv6: z.boolean(),
    openPorts: z.array(z.int()).optional(),
    attempts: z.array(
      z.strictObject({
        ...{
          address: z.string(),
          family: z.literal([4, 6]),
          ms: z.number(),
          failure: nullableText,
        },
      }),
    ),
  }),
  tls: z.union([
    z.strictObject({ protected: z.literal(false) }),
    z.strictObject({
      protected: z.literal(true),
      ...{ serverName: z.string(), protocol: z.string(), cipher: z.string(), names: z.string() },
      ...{ tcpMs: z.number(), requestMs: z.number(), handshakeMs: z.number() },
      trust: z.strictObject({ node: nullableText, deno: nullableText, workers: nullableText }),
      chain: z.array(
        z.strictObject({
          ...{ subject: z.string(), issuer: z.string(), sha256: z.string() },
          ...{ validFrom: z.iso.datetime(), validTo: z.iso.datetime() },
        }),
      ),
    }),
  ]),
  login: z.strictObject({
    ...{ method: z.string(), user: z.string(), database: z.string(), serverVersion: nullableText },
  }),
  mode: z.strictObject({
    pooler: z.enum(['none', 'supavisor', 'pgbouncer', 'hyperdrive', 'unknown']),
    ...{ mode, evidence: z.string(), listen: z.boolean() },
    preparedStatements: z.enum(['kept', 'tracked', 'refused']),
    pids: z.array(z.strictObject({ connection: z.enum(['first', 'second']), pid: z.string() })),
  }),
  server: z.strictObject({
    ...{ version: z.string(), versionNumber: z.int(), role: z.string(), database: z.string() },
    ...{ maxConnections: z.int(), reservedConnections: z.int(), usableConnections: z.int() },
    ...{ isSuperuser: z.boolean(), inRecovery: z.boolean(), roleConnectionLimit: z.int() },
    ...{
      statementTimeout: z.string(),
      idleInTransactionTimeout: z.string(),
      lockTimeout: z.string(),
    },
    connections: z.strictObject({
      used: z.int(),
      by: z.array(
        z.strictObject({
          ...{ user: z.string(), application: z.string(), database: z.string(), count: z.int() },
        }),
      ),
    }),
    timeouts: z.array(
      z.strictObject({
        ...{ role: z.string(), database: z.string(), setting: z.string(), value: z.string() },
      }),
    ),
    extensions: z.array(z.strictObject({ name: z.string(), version: z.string() })),
  }),
  measure: z.strictObject({
    roundTripMs: z.strictObject({ median: z.number(), min: z.number(), max: z.number() }),
    samples: z.int(),
    profileInUse: profile,
    profiles: z.array(
      z.strictObject({
        ...{ profile, applies: z.boolean(), coldRoundTrips: z.int(), warmRoundTrips: z.int() },
        ...{ expectedColdMs: z.number(), expectedWarmMs: z.number() },
      }),
    ),
  }),
}

const stepReport = z
  .strictObject({
    step: stepName,
    verdict: z.enum(['ok', 'warning', 'failed', 'skipped']),
    durationMs: z.number().min(0),
    summary: z.string().min(1),
    notes: z.array(note),
    data: z.record(z.string(), z.unknown()),
  })
  .superRefine(({ step, verdict, data }, context) => {
    const isEmpty = Object.keys(data).length === 0
    if (isEmpty && verdict !== 'ok') return
    // A search that found nothing tells what else it met.
    if (step === 'configuration' && verdict === 'failed') return
    const outcome = DATA[step].safeParse(data)
    if (!outcome.success) context.addIssue(`${step}: ${outcome.error.message}`)
  })

/** The JSON of `nullpool doctor --json`, as docs/doctor.md promises it: no field more, none less. */
export const doctorReportSchema = z.strictObject({
  schema: z.literal(1),
  verdict: z.enum(['ok', 'warning', 'failed']),
  exitCode: z.literal([0, 1, 2]),
  source: z
    .strictObject({
      kind: z.enum(['argument', 'environment', 'dev-vars', 'dotenv', 'wrangler']),
      name: z.string(),
      file: z.string().optional(),
    })
    .optional(),
  target: z
    .strictObject({
      ...{ url: z.string(), host: z.string(), port: z.int(), user: z.string() },
      ...{ database: z.string(), provider: z.string(), statedMode: mode },
    })
    .optional(),
  steps: z.array(stepReport).length(STEPS.length),
  firstFailure: note.extend({ step: stepName }).optional(),
  recommendation: z
    .strictObject({
      url: z.string(),
      changed: z.boolean(),
      options: z.record(z.string(), z.unknown()),
      lines: z.array(z.strictObject({ for: z.string(), line: z.string() })),
    })
    .optional(),
})
