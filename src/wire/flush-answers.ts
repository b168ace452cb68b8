import { Backend, Frontend } from './messages.ts'

/** Messages after which a server has said all it will say to a Flush, by the request before it. */
const LAST_ANSWERS: Readonly<Record<number, readonly number[]>> = {
  [Frontend.parse]: [Backend.parseComplete],
  [Frontend.bind]: [Backend.bindComplete],
  [Frontend.close]: [Backend.closeComplete],
  [Frontend.describe]: [Backend.rowDescription, Backend.noData],
  [Frontend.execute]: [
    Backend.commandComplete,
    Backend.portalSuspended,
    Backend.emptyQueryResponse,
    Backend.copyInResponse,
  ],
}

/** Whether a server that was sent a Flush behind `request` says no more after `reply`. */
export function isLastAnswer(request: number, reply: number): boolean {
  return LAST_ANSWERS[request]?.includes(reply) ?? false
}

/** Whether a reply is a row, or the end of a statement. */
export function isRow(reply: number): boolean {
  const { commandComplete, copyData, dataRow } = Backend
  return reply === dataRow || reply === copyData || reply === commandComplete
}
