# The server in a small image. Both stages stand on build arguments, so that whoever builds it may
# put it on images of their own; .ci/containers does so.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS builder
WORKDIR /build
# The dependencies get a layer of their own, which lasts until a manifest changes: the workspace
# is built once with empty crates in the place of ours.
COPY Cargo.toml Cargo.lock ./
COPY domain/Cargo.toml domain/
COPY persistence/Cargo.toml persistence/
COPY migration/Cargo.toml migration/
COPY api/Cargo.toml api/
COPY outbound/Cargo.toml outbound/
COPY tests/Cargo.toml tests/
RUN for crate in domain persistence migration api outbound tests; do \
        mkdir -p "$crate/src" && touch "$crate/src/lib.rs"; \
    done \
    && echo 'fn main() {}' > api/src/main.rs \
    && cargo build --release --locked --package api
COPY . .
# Cargo goes by the time of a file, and the copied ones may be older than the empty ones.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --package api \
    && mkdir -p /image/data \
    && install -D --strip target/release/berth /image/berth

FROM ${BASE_IMAGE}
# A number, so that an orchestrator can see that it is not root.
ARG USER_ID=10001
COPY --from=builder /image/berth /usr/local/bin/berth
COPY --from=builder --chown=${USER_ID}:${USER_ID} /image/data /data
USER ${USER_ID}:${USER_ID}
ENV BERTH__DATA_DIR=/data \
    BERTH__HTTP__LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["berth", "healthcheck"]
ENTRYPOINT ["berth"]
CMD ["serve"]
