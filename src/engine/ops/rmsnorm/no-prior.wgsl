// prior4(i): no gradient had arrived before.
fn prior4(i: u32) -> vec4<f32> { return vec4<f32>(); }
