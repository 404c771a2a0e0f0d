interface Reading<T> {
  answer: Promise<T>
  /** Begins when the answer is there. */
  next: Promise<T> | undefined
}

/**
 * Of those who ask the same at once, one asks the database. Nobody gets an answer that began to be read before he asked: who comes
 * while one is being read shares the next one with all who do.
 */
export function shareNext<Question, T>(read: (question: Question) => Promise<T>, keyOf: (question: Question) => string) {
  const readings = new Map<string, Reading<T>>()
  const begin = async (key: string, question: Question): Promise<T> => {
    const reading: Reading<T> = { answer: read(question), next: undefined }
    readings.set(key, reading)
    try {
      return await reading.answer
    } finally {
      if (reading.next === undefined) readings.delete(key)
    }
  }
  return (question: Question): Promise<T> => {
    const key = keyOf(question)
    const reading = readings.get(key)
    if (reading === undefined) return begin(key, question)
    reading.next ??= reading.answer.then(
      () => begin(key, question),
      () => begin(key, question),
    )
    return reading.next
  }
}
