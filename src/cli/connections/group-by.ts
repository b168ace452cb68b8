import { MAX_GROUPS } from './snapshot.ts'

/**
 * Counts what has the same key, the largest first. A server may have any number of applications: what is beyond
 * {@link MAX_GROUPS} is left out, after the order.
 */
export function groupBy<Item, Group>(
  items: Iterable<Item>,
  keyOf: (item: Item) => readonly unknown[],
  begin: (item: Item) => Group,
  add: (group: Group, item: Item) => void,
  sizeOf: (group: Group) => number,
): Group[] {
  const groups = new Map<string, Group>()
  for (const item of items) {
    const key = JSON.stringify(keyOf(item))
    let group = groups.get(key)
    if (group === undefined) {
      group = begin(item)
      groups.set(key, group)
    }
    add(group, item)
  }
  return [...groups.values()].sort((one, other) => sizeOf(other) - sizeOf(one)).slice(0, MAX_GROUPS)
}
