import {
  CreateTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'

/** So a call ends after at most 10 s, as a read of PostgreSQL does. The pauses between attempts are random and double. */
const ATTEMPTS_MAX = 3
const CONNECT_MS_MAX = 2_000
const ANSWER_MS_MAX = 3_000
const CREATION_SECONDS_MAX = 120

/** The attributes of an item. */
export const PARTITION_KEY = 'PK'
export const SORT_KEY = 'SK'
export const STATE = 'State'
/** In seconds since 1970, as DynamoDB wants it. */
export const TIME_TO_LIVE = 'TTL'

export interface DynamoPlace {
  table: string
  /** Undefined for that of the environment. */
  region: string | undefined
  /** Of a server other than AWS. */
  endpoint: string | undefined
}

/** A client of DynamoDB. Credentials are those of the environment. */
export function createDynamoClient({ region, endpoint }: DynamoPlace): DynamoDBClient {
  return new DynamoDBClient({
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_MS_MAX, requestTimeout: ANSWER_MS_MAX, throwOnRequestTimeout: true },
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
  })
}

/** Creates the table of a history, paid by request, and lets DynamoDB delete expired items. Changes nothing where it is done already. */
export async function createHistoryTable(place: DynamoPlace): Promise<void> {
  const client = createDynamoClient(place)
  const { table: TableName } = place
  try {
    await client
      .send(
        new CreateTableCommand({
          TableName,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [PARTITION_KEY, SORT_KEY].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
          KeySchema: [
            { AttributeName: PARTITION_KEY, KeyType: 'HASH' },
            { AttributeName: SORT_KEY, KeyType: 'RANGE' },
          ],
        }),
      )
      .catch((error: unknown) => {
        if (!(error instanceof ResourceInUseException)) throw error
      })
    await waitUntilTableExists({ client, maxWaitTime: CREATION_SECONDS_MAX }, { TableName })
    const { TimeToLiveDescription: ttl } = await client.send(new DescribeTimeToLiveCommand({ TableName }))
    // DynamoDB refuses to enable it twice.
    if (ttl?.TimeToLiveStatus === 'ENABLED' || ttl?.TimeToLiveStatus === 'ENABLING') return
    const TimeToLiveSpecification = { AttributeName: TIME_TO_LIVE, Enabled: true }
    await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }))
  } finally {
    client.destroy()
  }
}
