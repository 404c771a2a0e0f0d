import { handler, Nothing } from './handler.ts'

export const pingHandlers = {
  Ping: handler({ input: Nothing, description: 'Answers nothing, to show that calls run.' }),
}
