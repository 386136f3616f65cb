// prior4(i): the i-th vector of a gradient that had arrived before, f32, of dx's shape.
@group(0) @binding(6) var<storage, read_write> prior: array<vec4<f32>>;

fn prior4(i: u32) -> vec4<f32> { return prior[i]; }
