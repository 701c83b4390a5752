# The program and nothing else: docker build -t REGISTRY/cpr-operator:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/cpr-operator /usr/local/bin/cpr-operator
ENTRYPOINT ["/usr/local/bin/cpr-operator"]
