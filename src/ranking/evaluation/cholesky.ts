/** Symmetric positive definite matrices, as rows of one array. */

/** Replaces the lower half by L of A = L·Lᵀ. */
export function factorize(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const dot = dotOf(matrix, i * size, j * size, j)
      const rest = matrix[i * size + j]! - dot
      matrix[i * size + j] = i === j ? Math.sqrt(rest) : rest / matrix[j * size + j]!
    }
  }
}

/** Replaces a right side by x of L·Lᵀ·x = b. */
export function solve(factor: Float64Array, size: number, side: Float64Array): void {
  for (let i = 0; i < size; i++) {
    let rest = side[i]!
    for (let j = 0; j < i; j++) rest -= factor[i * size + j]! * side[j]!
    side[i] = rest / factor[i * size + i]!
  }
  for (let i = size - 1; i >= 0; i--) {
    const value = side[i]! / factor[i * size + i]!
    side[i] = value
    for (let j = 0; j < i; j++) side[j]! -= factor[i * size + j]! * value
  }
}

/** The inverse of L·Lᵀ: (L⁻¹)ᵀ·L⁻¹. */
export function inverse(factor: Float64Array, size: number): Float64Array {
  const lower = lowerInverse(factor, size)
  const result = new Float64Array(size * size)
  for (let k = 0; k < size; k++) {
    for (let i = 0; i <= k; i++) {
      const value = lower[k * size + i]!
      if (value === 0) continue
      for (let j = 0; j <= i; j++) result[i * size + j]! += value * lower[k * size + j]!
    }
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) result[j * size + i] = result[i * size + j]!
  return result
}

/** L⁻¹, row by row: row i is (e_i − Σ_k<i L_ik · row k) / L_ii. */
function lowerInverse(factor: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size)
  for (let i = 0; i < size; i++) {
    const row = i * size
    for (let k = 0; k < i; k++) {
      const value = factor[row + k]!
      if (value === 0) continue
      const other = k * size
      for (let j = 0; j <= k; j++) lower[row + j]! -= value * lower[other + j]!
    }
    const scale = 1 / factor[row + i]!
    for (let j = 0; j < i; j++) lower[row + j]! *= scale
    lower[row + i] = scale
  }
  return lower
}

function dotOf(matrix: Float64Array, a: number, b: number, length: number): number {
  let sum = 0
  for (let k = 0; k < length; k++) sum += matrix[a + k]! * matrix[b + k]!
  return sum
}
