# The image of PhotonDB: operator and data plane in one, run as
#   docker run photondb operator/main.ts
#   docker run photondb dataplane/node/main.ts --data-dir /data
# It runs as non-root, with a read-only root file system; what is written goes to volumes.

FROM node:26-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The pinned Node of package.json is for machines without one: the base image has its own.
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node-linux-*

FROM node:26-slim
ENV NODE_ENV=production NODE_OPTIONS=--disable-warning=ExperimentalWarning
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY crds ./crds
COPY operator ./operator
COPY dataplane ./dataplane
USER 1000:1000
ENTRYPOINT ["node"]
