# The endpoint, the gateway and the commands, without the embedded servers.
ARG NODE_IMAGE=node:24-bookworm-slim
FROM $NODE_IMAGE AS dependencies
WORKDIR /footfall
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force

FROM $NODE_IMAGE
LABEL org.opencontainers.image.title="Footfall" \
      org.opencontainers.image.description="Shopper interactions in, exactly-once popularity out" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /footfall
COPY --from=dependencies /footfall/node_modules node_modules
COPY package.json package-lock.json LICENSE ./
COPY sql sql
COPY services services
COPY src src
RUN ln -s /footfall/src/main/footfall.js /usr/local/bin/footfall
# New volumes there belong to the user node.
RUN install -d -o node -g node -m 700 /archive /backups /reconcile
ENV NODE_ENV=production \
    GATEWAY_HOST=0.0.0.0 \
    ENDPOINT_HOST=0.0.0.0
USER node
EXPOSE 3000 9080 9081
# Asks the gateway, the endpoint and the guard; one of them runs in this container.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=500ms --retries=3 CMD ["node", "/footfall/src/main/healthcheck.js"]
ENTRYPOINT ["footfall"]
CMD ["--help"]
