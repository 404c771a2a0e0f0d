const SLOT_WORDS = 4
const SLOTS_MIN = 1_024

/** Counts keys of three whole numbers below 2^32. */
export interface KeyCounts {
  /** @returns how often the key was added, with this time. */
  add: (a: number, b: number, c: number) => number
  clear: () => void
}

/** An open-addressing table in one array, because a Map would need an object or a text for each key. */
export function createKeyCounts(): KeyCounts {
  let slots = new Uint32Array(SLOTS_MIN * SLOT_WORDS)
  let used = 0
  const grow = () => {
    const before = slots
    slots = new Uint32Array(before.length * 2)
    for (let at = 0; at < before.length; at += SLOT_WORDS) {
      if (before[at + 3] === 0) continue
      slots.set(before.subarray(at, at + SLOT_WORDS), slotOf(slots, before[at]!, before[at + 1]!, before[at + 2]!))
    }
  }
  return {
    add: (a, b, c) => {
      const at = slotOf(slots, a, b, c)
      const count = slots[at + 3]! + 1
      slots[at] = a
      slots[at + 1] = b
      slots[at + 2] = c
      slots[at + 3] = count
      if (count === 1 && ++used * SLOT_WORDS * 2 > slots.length) grow()
      return count
    },
    clear: () => {
      slots.fill(0)
      used = 0
    },
  }
}

/** Where a key is, or the free slot for it. The keys are hashes, so their words need no mixing. */
function slotOf(slots: Uint32Array, a: number, b: number, c: number): number {
  const last = slots.length / SLOT_WORDS - 1
  for (let slot = b & last; ; slot = (slot + 1) & last) {
    const at = slot * SLOT_WORDS
    if (slots[at + 3] === 0 || (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c)) return at
  }
}
