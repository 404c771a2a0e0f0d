/** Why a row is rejected. */
export interface RowRejection {
  field: string | null
  reason: string
}
