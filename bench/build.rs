//! Writes the stubs of the gRPC service out of Rust, so that no `protoc` is needed.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type("crate::peers::grpc::Body")
            .output_type("crate::peers::grpc::Body")
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Bench")
        .package("homing.bench")
        .method(method("echo", "Echo").build())
        .method(method("flood", "Flood").server_streaming().build())
        .build();
    Builder::new().compile(&[service]);
}
