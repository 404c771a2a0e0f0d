import { completeRule, takeRuleIntoForce } from '../../src/store/payments/ledger-rule.ts'
import { type PaymentRef, settlePageAgain } from '../../src/store/payments/settle-again.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const SETTLE_AGAIN: Task = {
  description: 'settles payments by the rules of a new release, when no older one runs any more',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background, tombstones }, ctx) => {
    const { isInForce, isComplete } = await step(ctx, 'take the newest rule into force', () => takeRuleIntoForce(background))
    if (!isInForce || isComplete) return
    let after: PaymentRef | null = { provider: '', paymentRef: '' }
    while (after !== null) {
      const page: PaymentRef = after
      after = await step(ctx, 'settle payments again', async () => (await settlePageAgain(background, page, tombstones)) ?? null)
    }
    await step(ctx, 'complete the rule', () => completeRule(background))
  },
}
