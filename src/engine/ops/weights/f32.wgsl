// weight4(i): the i-th four values of a row-major f32 matrix.
@group(0) @binding(6) var<storage, read> w: array<vec4<f32>>;

fn weight4(i: u32) -> vec4<f32> { return w[i]; }
