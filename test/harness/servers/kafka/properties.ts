export const START_MS_MAX = 60_000

/** Of a Kafka of one node, which is broker and controller. Its listeners are named PLAINTEXT and CONTROLLER. */
export function propertiesOf(controllerPort: number): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    'message.max.bytes': String(4 * 1024 * 1024),
    'log.cleaner.enable': 'false',
  }
}
