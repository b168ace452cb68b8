import * as yoctocolors from 'yoctocolors'

/** yoctocolors looks at the environment (NO_COLOR, TERM) and not at where the text goes. */
const isColoured = process.stdout.isTTY === true || Boolean(process.env.FORCE_COLOR)

const plain = (text: string): string => text

const when = (colour: (text: string) => string): ((text: string) => string) =>
  isColoured ? colour : plain

export const bold: (text: string) => string = when(yoctocolors.bold)
export const cyan: (text: string) => string = when(yoctocolors.cyan)
export const dim: (text: string) => string = when(yoctocolors.dim)
export const green: (text: string) => string = when(yoctocolors.green)
export const inverse: (text: string) => string = when(yoctocolors.inverse)
export const red: (text: string) => string = when(yoctocolors.red)
export const yellow: (text: string) => string = when(yoctocolors.yellow)
