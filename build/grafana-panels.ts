import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  FieldColorModeId,
  type GraphFieldConfig,
  LegendDisplayMode,
  MappingType,
  type Panel,
  PercentChangeColorMode,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizOrientation,
} from '@grafana/schema'
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type { Options as TimeSeriesOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'

/** An expression, and what its series are called. */
export type Query = [expr: string, legend: string]

export type Place = NonNullable<Panel['gridPos']>

/** Whatever Prometheus is chosen above the panels. */
export const DATA_SOURCE = { type: 'prometheus', uid: '$datasource' }

function targets(queries: readonly Query[], isInstant: boolean): Record<string, unknown>[] {
  return queries.map(([expr, legendFormat], n) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + n),
    datasource: DATA_SOURCE,
    expr,
    legendFormat,
    instant: isInstant,
    range: !isInstant,
  }))
}

interface Lines {
  queries: Query[]
  /** Counts, unless told. */
  unit?: string
  /** Series that are limits, with their colours. */
  limits?: Readonly<Record<string, string>>
  /** Series that make a whole together. */
  stacked?: boolean
}

/** A panel with the course of numbers. */
export function lines(title: string, gridPos: Place, drawn: Lines): Omit<Panel, 'id'> {
  const { queries, unit, limits = {}, stacked = false } = drawn
  const custom: GraphFieldConfig = {
    fillOpacity: stacked ? 30 : 10,
    showPoints: VisibilityMode.Never,
    stacking: { mode: stacked ? StackingMode.Normal : StackingMode.None, group: 'A' },
  }
  const options: TimeSeriesOptions = {
    legend: {
      showLegend: true,
      // What makes a whole may have many parts, and a table of them would leave no room for the chart.
      displayMode: stacked ? LegendDisplayMode.List : LegendDisplayMode.Table,
      placement: 'bottom',
      calcs: stacked ? [] : ['lastNotNull', 'max'],
    },
    tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending },
  }
  return {
    type: 'timeseries',
    title,
    datasource: DATA_SOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        ...(unit ? { unit } : { unit: 'none', decimals: 0 }),
        min: 0,
        custom: { ...custom },
      },
      overrides: Object.entries(limits).map(([name, color]) => limit(name, color)),
    },
    options: { ...options },
    targets: targets(queries, false),
  }
}

function limit(
  name: string,
  fixedColor: string,
): NonNullable<Panel['fieldConfig']>['overrides'][number] {
  return {
    matcher: { id: 'byName', options: name },
    properties: [
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } },
      { id: 'custom.fillOpacity', value: 0 },
      { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor } },
    ],
  }
}

interface Lights {
  query: Query
  states: Readonly<Record<string, [text: string, color: string]>>
}

/** A panel with the states of this moment. */
export function lights(
  title: string,
  gridPos: Place,
  { query, states }: Lights,
): Omit<Panel, 'id'> {
  const options: StatOptions = {
    reduceOptions: { calcs: ['lastNotNull'], values: false },
    orientation: VizOrientation.Auto,
    textMode: BigValueTextMode.ValueAndName,
    colorMode: BigValueColorMode.Background,
    graphMode: BigValueGraphMode.None,
    justifyMode: BigValueJustifyMode.Auto,
    percentChangeColorMode: PercentChangeColorMode.Standard,
    showPercentChange: false,
    wideLayout: false,
  }
  return {
    type: 'stat',
    title,
    datasource: DATA_SOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        mappings: [
          {
            type: MappingType.ValueToText,
            options: Object.fromEntries(
              Object.entries(states).map(([value, [text, color]], index) => [
                value,
                { text, color, index },
              ]),
            ),
          },
        ],
      },
      overrides: [],
    },
    options: { ...options },
    targets: targets([query], true),
  }
}
