interface Reading<T> {
  answer: Promise<T>
  /** Begins when this read has ended. */
  next: Promise<T> | undefined
}

/**
 * Collapses concurrent identical reads. A caller that arrives during a read shares the next one, so that no answer is older than its
 * question.
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
