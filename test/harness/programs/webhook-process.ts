import { createWebhookSender } from '../../../src/external/webhook-sender.ts'

/** `webhook-process.ts <url>`: a process that sends a webhook, whatever the host is to 127.0.0.1, and prints what became of it. */
const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
const send = createWebhookSender({ allowsPrivate: true, resolve })
console.log(JSON.stringify(await send({ url: process.argv[2]!, deliveryId: 'd-1', body: '{}', secrets: ['a secret'] })))
