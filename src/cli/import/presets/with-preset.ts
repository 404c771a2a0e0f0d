import type { ItemKind } from '../mapping/item-kind.ts'
import { type Rule, ruleOf } from '../mapping/rule.ts'
import type { DecimalMark } from '../values/number.ts'
import { PRESETS } from './all.ts'
import type { Preset, PresetOptions, PresetRules } from './preset.ts'
import { UsageError } from '../../../main/config/start-error.ts'

export function presetNamed(name: string): Preset {
  return PRESETS.find((preset) => preset.name === name)!
}

/** The rules of a preset for interactions or products. @throws UsageError when it has none. */
export function presetRulesOf({ name, interactions, products }: Preset, { areProducts }: { areProducts: boolean }): PresetRules {
  const rules = areProducts ? products : interactions
  if (rules === undefined)
    throw new UsageError(`--preset ${name} has no products: leave out --products, or map the columns with --map.`)
  return rules
}

/** The options of the command with those of a preset: values and nulls are joined, and of others those of the command count. */
export function withPreset<Given extends PresetOptions>(given: Given, preset: PresetRules | undefined): Given {
  if (preset === undefined) return given
  const { rules: _rules, ignored: _ignored, changes: _changes, ...options } = preset
  return {
    ...options,
    ...given,
    values: [...(preset.values ?? []), ...(given.values ?? [])],
    null: [...(preset.null ?? []), ...(given.null ?? [])],
  }
}

/**
 * The rules of a preset, which are tried after the command's own ones. Files of a format may have other columns, so a preset's rules
 * are optional. An event has one identity: when the command gives it, the preset does not.
 */
export function rulesAfter(own: readonly Rule[], preset: PresetRules | undefined, kind: ItemKind, mark?: DecimalMark): Rule[] {
  const { exclusive } = kind
  const hasIdentity = own.some(({ target }) => exclusive.includes(target))
  const rules = (preset?.rules ?? []).map(([verb, text]): Rule => ({ ...ruleOf(verb, text, kind, mark), isOptional: true }))
  return [...own, ...rules.filter(({ target }) => !(hasIdentity && exclusive.includes(target)))]
}
