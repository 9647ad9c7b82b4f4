/** What is probably behind a step's failure, and how to mend it. It changes nothing of the result. */
export interface StepWarning {
  /** The step's field that it is about. */
  readonly field: string;
  readonly message: string;
}
