# The image of PhotonDB: operator and data plane in one, run as
#   docker run photondb operator/main.ts
#   docker run photondb dataplane/node/main.ts --data-dir /data
# It runs as non-root, with a read-only root file system; what is written goes to volumes.

# By digest: a tag may change its meaning. Of the base, only the C library and the certificates are used.
ARG BASE=node:26-slim@sha256:c0753125a3789977aefe869cbebccf70e3cfd7ea84ca48547458f02e4f1d7146

FROM ${BASE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Node comes from package-lock.json, with its integrity hash: the one that the tests run.
RUN npm ci --omit=dev --ignore-scripts && \
    mv node_modules/node-linux-*/bin/node /node && rm -rf node_modules/node-linux-*

FROM ${BASE}
COPY --from=packages /node /usr/local/bin/node
ENV NODE_ENV=production NODE_OPTIONS=--disable-warning=ExperimentalWarning
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY crds ./crds
COPY operator ./operator
COPY dataplane ./dataplane
USER 1000:1000
ENTRYPOINT ["node"]
