// What changes from one micro-batch or step to the next; written with the batch. See batch-layout.ts for the fields.
struct Header {
  tokenCount: u32,
  lossRowCount: u32,
  microBatch: u32,
  dropoutKey: u32,
  inverseLossTokens: f32,
  learningRate: f32,
  firstCorrection: f32,
  secondCorrection: f32,
}
