import { handler } from './handler.ts'
import { RecordedBatch } from './recorded-batch.ts'

export const fanOutHandlers = {
  FanOut: handler({
    input: RecordedBatch,
    description:
      'Sends a recorded batch to the services that count it. The consumer of Kafka calls it, because it records without Restate. A batch counts once, however often it is sent.',
  }),
}
