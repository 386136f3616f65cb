/**
 * The same step in TensorFlow.js on its WebGPU backend, as one would write it: variables for the adapter, constants for the frozen
 * weights, `variableGrads`, its own Adam. It neither clips nor decays, which only makes it cheaper.
 */
import * as tf from '@tensorflow/tfjs-core';
// oxlint-disable-next-line import/no-unassigned-import -- it registers the backend
import '@tensorflow/tfjs-backend-webgpu';
// oxlint-disable-next-line import/no-unassigned-import -- it registers every op's gradient
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { EMBEDDING, type NamedValues, SHAPE, type StepCase, loraNames } from './case.ts';
import type { Agreement } from './ours.ts';

const { layers, heads, kvHeads, headSize, rows, rowTokens, vocab, hidden, epsilon, ropeTheta, loraScale, learningRate } = SHAPE;
const TOKENS = rows * rowTokens;
const GROUP = heads / kvHeads;
/** Added to a score that the causal mask forbids. */
const FORBIDDEN = -1e9;

export class TfjsStep {
  readonly #weights: Map<string, tf.Tensor>;
  readonly #variables: Map<string, tf.Variable>;
  readonly #tokens: tf.Tensor1D;
  readonly #labels: tf.Tensor2D;
  readonly #cos: tf.Tensor;
  readonly #sin: tf.Tensor;
  readonly #mask: tf.Tensor;
  readonly #optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);

  private constructor(made: StepCase) {
    const tensorOf = ({ data, shape }: NamedValues) => tf.tensor(data, shape);
    this.#weights = new Map([...made.weights].map(([name, values]) => [name, tensorOf(values)]));
    this.#variables = new Map([...made.adapter].map(([name, values]) => [name, tf.variable(tensorOf(values), true, name)]));
    const int32 = (from: number) => Int32Array.from(made.rows.flatMap(({ tokens }) => Array.from(tokens.subarray(from))));
    this.#tokens = tf.tensor1d(int32(0));
    const targets = tf.tensor1d(int32(1));
    this.#labels = tf.tidy(() => tf.cast(tf.oneHot(targets, vocab), 'float32') as tf.Tensor2D);
    const angles = Array.from({ length: rowTokens }, (_, position) =>
      Array.from({ length: headSize }, (_, i) => position / ropeTheta ** ((2 * (i % (headSize / 2))) / headSize)),
    );
    // [1, positions, 1, head size]: over rows and heads.
    const table = (of: (angle: number) => number) => tf.tensor(Float32Array.from(angles.flat(), of), [1, rowTokens, 1, headSize]);
    this.#cos = table(Math.cos);
    this.#sin = table(Math.sin);
    // A key head serves GROUP query heads, whose queries lie one after another: [GROUP x positions, positions].
    const causal = Array.from({ length: GROUP * rowTokens }, (_, i) =>
      Array.from({ length: rowTokens }, (_, key) => (key > i % rowTokens ? FORBIDDEN : 0)),
    );
    this.#mask = tf.tensor2d(causal);
  }

  static async create(made: StepCase): Promise<TfjsStep> {
    if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js has no WebGPU backend here');
    await tf.ready();
    return new TfjsStep(made);
  }

  /** Loss and gradients at the adapter as it is, without an update. */
  async agreement(): Promise<Agreement> {
    const { value, grads } = tf.variableGrads(() => this.#loss(), [...this.#variables.values()]);
    const lossNats = (await value.data())[0];
    const gradients = new Map<string, NamedValues>();
    let squares = 0;
    for (const [name, gradient] of Object.entries(grads)) {
      const data = (await gradient.data()) as Float32Array;
      gradients.set(name, { shape: gradient.shape, data });
      squares += data.reduce((sum, g) => sum + g * g, 0);
    }
    tf.dispose([value, ...Object.values(grads)]);
    return { lossNats, gradientNorm: Math.sqrt(squares), gradients };
  }

  /** One optimizer step, until its loss has come back; the read-back waits for what was submitted before it. Milliseconds. */
  async step(): Promise<number> {
    const startedAt = performance.now();
    const loss = this.#update();
    await loss.data();
    loss.dispose();
    return performance.now() - startedAt;
  }

  /** Bytes of tensors at the most of one step, constants and optimizer included; bytes of the buffers that the backend holds. */
  async bytes(): Promise<{ peakBytes: number; bufferBytes: number }> {
    const { peakBytes, result } = await tf.profile(() => this.#update());
    const loss = result as unknown as tf.Scalar;
    await loss.data();
    loss.dispose();
    const memory = tf.memory() as tf.MemoryInfo & { numBytesAllocatedInGPU?: number };
    return { peakBytes, bufferBytes: memory.numBytesAllocatedInGPU ?? 0 };
  }

  #update(): tf.Scalar {
    const { value, grads } = tf.variableGrads(() => this.#loss(), [...this.#variables.values()]);
    this.#optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
    tf.dispose(Object.values(grads));
    return value;
  }

  #weight(name: string): tf.Tensor2D {
    return this.#weights.get(name) as tf.Tensor2D;
  }

  /** x [tokens, in] W^T + scale (x A^T) B^T. */
  #linear(module: string, x: tf.Tensor2D): tf.Tensor2D {
    const names = loraNames(module);
    const low = tf.matMul(x, this.#variables.get(names.a) as tf.Tensor2D, false, true);
    const branch = tf.matMul(low, this.#variables.get(names.b) as tf.Tensor2D, false, true);
    return tf.add(tf.matMul(x, this.#weight(`${module}.weight`), false, true), tf.mul(branch, loraScale));
  }

  #norm(name: string, x: tf.Tensor2D): tf.Tensor2D {
    const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
    return tf.mul(tf.mul(x, rstd), this.#weight(name));
  }

  /** x [rows, positions, heads, head size]. */
  #rope(x: tf.Tensor4D): tf.Tensor4D {
    const [first, second] = tf.split(x, 2, -1);
    const turned = tf.concat([tf.neg(second), first], -1);
    return tf.add(tf.mul(x, this.#cos), tf.mul(turned, this.#sin));
  }

  #attention(layer: number, x: tf.Tensor2D): tf.Tensor2D {
    const at = `model.layers.${layer}.self_attn`;
    const q = this.#rope(tf.reshape(this.#linear(`${at}.q_proj`, x), [rows, rowTokens, heads, headSize]));
    const k = this.#rope(tf.reshape(this.#linear(`${at}.k_proj`, x), [rows, rowTokens, kvHeads, headSize]));
    const v = tf.reshape(this.#linear(`${at}.v_proj`, x), [rows, rowTokens, kvHeads, headSize]);
    // The queries of a key head's group side by side, so that keys and values need no copies: [rows x kvHeads, GROUP x positions, size].
    const grouped = tf.reshape(tf.transpose(q, [0, 2, 1, 3]), [rows * kvHeads, GROUP * rowTokens, headSize]);
    const byHead = (t: tf.Tensor) => tf.reshape(tf.transpose(t, [0, 2, 1, 3]), [rows * kvHeads, rowTokens, headSize]);
    const scores = tf.add(tf.mul(tf.matMul(grouped, byHead(k), false, true), 1 / Math.sqrt(headSize)), this.#mask);
    const mixed = tf.matMul(tf.softmax(scores), byHead(v));
    const merged = tf.transpose(tf.reshape(mixed, [rows, heads, rowTokens, headSize]), [0, 2, 1, 3]);
    return this.#linear(`${at}.o_proj`, tf.reshape(merged, [TOKENS, heads * headSize]));
  }

  #mlp(layer: number, x: tf.Tensor2D): tf.Tensor2D {
    const at = `model.layers.${layer}.mlp`;
    const gate = this.#linear(`${at}.gate_proj`, x);
    const up = this.#linear(`${at}.up_proj`, x);
    return this.#linear(`${at}.down_proj`, tf.mul(tf.mul(gate, tf.sigmoid(gate)), up));
  }

  #loss(): tf.Scalar {
    let x: tf.Tensor2D = tf.gather(this.#weight(EMBEDDING), this.#tokens);
    for (let layer = 0; layer < layers; layer++) {
      const at = `model.layers.${layer}`;
      x = tf.add(x, this.#attention(layer, this.#norm(`${at}.input_layernorm.weight`, x)));
      x = tf.add(x, this.#mlp(layer, this.#norm(`${at}.post_attention_layernorm.weight`, x)));
    }
    const last = tf.reshape(this.#norm('model.norm.weight', x), [rows, rowTokens, hidden]);
    // The last token of a row predicts nothing.
    const predicting = tf.reshape(tf.slice(last, [0, 0, 0], [rows, rowTokens - 1, hidden]), [rows * (rowTokens - 1), hidden]);
    const logits = tf.matMul(predicting, this.#weight(EMBEDDING), false, true);
    return tf.losses.softmaxCrossEntropy(this.#labels, logits);
  }
}
