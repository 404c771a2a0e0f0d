import { z } from 'zod'

const Offset = z.int().nullable()

export const KafkaPartition = z.object({
  topic: z.string(),
  partition: z.int(),
  next: Offset.describe('The next offset to read; null for a partition that was never read.'),
  first: Offset.describe('The first offset that the brokers have; null for a topic that does not exist.'),
  end: Offset.describe('The offset after the last one; null for a topic that does not exist.'),
  behind: Offset.describe('Offsets that are not stored yet. Of a compacted topic there are fewer records.'),
  moved_at: z.iso.datetime().nullable().describe('When records of the partition were stored last.'),
})
export type KafkaPartition = z.infer<typeof KafkaPartition>

export const KafkaLagResponse = z
  .object({
    data: z.array(KafkaPartition).describe('By topic and partition.'),
    meta: z.object({ missing_topics: z.array(z.string()).describe('Topics of the settings that do not exist.') }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            topic: 'product.updated',
            partition: 0,
            next: 81_200,
            first: 0,
            end: 81_241,
            behind: 41,
            moved_at: '2026-03-01T12:00:00.000Z',
          },
        ],
        meta: { missing_topics: [] },
      },
    ],
  })
export type KafkaLagResponse = z.infer<typeof KafkaLagResponse>
