import parsePrometheusTextFormat from 'parse-prometheus-text-format'

/** One value of a metric, with its labels. */
export interface Sample {
  name: string
  labels: Readonly<Record<string, string>>
  value: number
}

const NAME = /^[a-zA-Z_:][\w:]*$/

/**
 * Reads the text format of Prometheus. Of histograms and summaries there is nothing that we use; they are left out.
 *
 * @throws Error where the text is none of that format.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function readPrometheusText(text: string): Sample[] {
  // The library reads no line that does not end.
  return parsePrometheusTextFormat(`${text}\n`).flatMap(({ name, metrics }) => {
    // It takes any word for a name: a page of HTML would be metrics too.
    if (!NAME.test(name)) throw new Error('This is not the text format of Prometheus.')
    return metrics.flatMap(({ value, labels = {} }) =>
      value === undefined ? [] : [{ name, labels, value: Number(value) }],
    )
  })
}
