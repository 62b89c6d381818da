# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# Dependencies first, with a program that is none: they are built again only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/it benches && touch src/lib.rs tests/it/main.rs benches/micro.rs && echo 'fn main() {}' > src/main.rs \
    && cargo build --locked --release && rm -r src
COPY src src
COPY static static
COPY templates templates
# The copies may be older than what was built from the empty files.
RUN find src -exec touch {} + && cargo build --locked --release && mkdir /data

# Distroless: the C library and nothing else. There is no shell to break into and no package to keep patched,
# and the health check is the binary itself.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/everfeed /usr/local/bin/everfeed
COPY --from=build --chown=nonroot:nonroot /data /data
VOLUME /data
EXPOSE 2113
# Change the public URL to the one that clients use: all links begin with it. Callers must say who they are; the first
# start prints the password of `admin`, once. TLS is left to a proxy in front, or to tls.certificate and tls.key.
ENV EVERFEED_DATA=/data \
    EVERFEED_LISTEN=0.0.0.0:2113 \
    EVERFEED_PUBLIC_URL=http://localhost:2113 \
    EVERFEED_ACCESS__ENABLED=true \
    EVERFEED_EXPOSE__WITHOUT_TLS=true
STOPSIGNAL SIGTERM
# Opening a large store may take some seconds.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["everfeed", "healthcheck"]
ENTRYPOINT ["everfeed"]
