import type { KafkaLagResponse, KafkaPartition } from '../../contract/kafka-lag.ts'
import { badge, empty, noteOf, panel, partOf } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, number } from '../components/value.ts'
import { type Answer, isProblem } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

/** How far each partition was read; nothing where Kafka is not read. */
export function kafkaPanel(kafka: Answer<KafkaLagResponse>, nowMs: number): Node {
  if (isProblem(kafka) && kafka.error.code === 'not_found') return null
  return panel(
    'Kafka',
    partOf(kafka, ({ data, meta: { missing_topics: missing } }) => [
      data.length > 0 && partitionsTable(data, nowMs),
      data.length === 0 && missing.length === 0 && empty('No topic is read.'),
      missing.length > 0 && html`<p>${badge('missing', 'warn')} Topics that do not exist: ${missing.join(', ')}.</p>`,
    ]),
    { id: 'kafka', note: noteOf(kafka, ({ data }) => [number(sumOf(data)), ' not read yet']) },
  )
}

function sumOf(rows: readonly KafkaPartition[]): number {
  return rows.reduce((sum, { behind }) => sum + (behind ?? 0), 0)
}

function partitionsTable(rows: readonly KafkaPartition[], nowMs: number): Node {
  return table<KafkaPartition>({
    caption: 'Partitions of the topics of Kafka',
    columns: [
      { head: 'Partition', cell: ({ topic, partition }) => `${topic}/${partition}`, isHead: true },
      { head: 'Behind', cell: ({ behind }) => number(behind), isNumber: true },
      { head: 'Next offset', cell: ({ next }) => number(next), isNumber: true, shown: 'medium' },
      { head: 'End', cell: ({ end }) => number(end), isNumber: true, shown: 'medium' },
      { head: 'Stored', cell: ({ moved_at }) => ago(moved_at, nowMs), shown: 'medium' },
    ],
    rows,
    idOf: ({ topic, partition }) => `${topic}/${partition}`,
  })
}
