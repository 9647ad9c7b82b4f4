/** A probable reason for a step's failure, and how to fix it. It does not change the result. */
export interface StepWarning {
  /** The step's field that the warning is about. */
  readonly field: string;
  readonly message: string;
}
