/** Undefined when there is no outcome after so long. */
export async function withinMs<T>(outcome: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined)
  })
  return Promise.race([outcome, silence]).finally(() => clearTimeout(timer))
}
