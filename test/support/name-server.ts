import type { AddressInfo } from 'node:net'
import dns from 'dns2'

/** What a name server knows: addresses by name. */
export type Names = Readonly<Record<string, { a?: readonly string[]; aaaa?: readonly string[] }>>

/** A DNS server on the loopback address. */
export interface NameServer extends AsyncDisposable {
  /** For `--resolver`. */
  readonly address: string
}

const NAME_ERROR = 3

/** Answers for these names, and that there are no others. */
export async function startNameServer(names: Names): Promise<NameServer> {
  const { Packet } = dns
  const server = dns.createServer({
    udp: true,
    handle(request, send) {
      const response = Packet.createResponseFromRequest(request)
      const [question] = request.questions
      const known = names[question?.name.toLowerCase() ?? '']
      if (!known) response.header.rcode = NAME_ERROR
      const isV6 = question?.type === Packet.TYPE.AAAA
      const addresses = (isV6 ? known?.aaaa : known?.a) ?? []
      for (const address of addresses) {
        // Its type asks for a method that it has no use for in an answer.
        response.answers.push({
          name: question?.name ?? '',
          type: isV6 ? Packet.TYPE.AAAA : Packet.TYPE.A,
          class: Packet.CLASS.IN,
          ttl: 1,
          address,
        } as (typeof response.answers)[number])
      }
      send(response)
    },
  })
  const { udp } = await server.listen({ udp: { port: 0, address: '127.0.0.1' } })
  const { port } = udp as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await server.close()
    },
  }
}
