import type { Panel } from '@grafana/schema'

/** One query of a panel, as it is sent. */
export interface DashboardQuery {
  panel: string
  expr: string
  /** With `{{label}}` where a label is put in. */
  legend: string
  isInstant: boolean
}

/**
 * The queries of a panel, with the variables of the dashboard and of Grafana in their place.
 *
 * @throws Error where a variable is left over.
 */
export function dashboardQueries(
  { title = '', targets = [] }: Panel,
  variables: Readonly<Record<string, string>>,
): DashboardQuery[] {
  return targets.map(({ expr, legendFormat, instant }) => ({
    panel: title,
    expr: replaceVariables(String(expr), variables),
    legend: String(legendFormat),
    isInstant: instant === true,
  }))
}

function replaceVariables(expr: string, variables: Readonly<Record<string, string>>): string {
  return expr.replace(/\$\{?(\w+)\}?/g, (_, name: string) => {
    const value = variables[name]
    if (value === undefined) throw new Error(`There is no variable ${name}, which is in ${expr}`)
    return value
  })
}

/** Labels that a legend puts in. */
export function labelsOf(legend: string): string[] {
  return [...legend.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label = '']) => label)
}

/** What a series is called in the legend. */
export function nameOf(legend: string, labels: Readonly<Record<string, string>>): string {
  return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '')
}
