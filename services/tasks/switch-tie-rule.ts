import { takeTieRuleIntoForce } from '../../src/store/catalog/tie-rule.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const SWITCH_TIE_RULE: Task = {
  description: 'lets a deletion win against other versions of a product of the same time, when no older release runs any more',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    await step(ctx, 'take the tie rule into force', () => takeTieRuleIntoForce(background))
  },
}
