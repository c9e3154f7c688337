# The worker and the server in one image: `keyferry worker`, `keyferry server`, `keyferry migrate`.
# It writes nothing to its own file system and runs as an unprivileged user.

FROM node:22-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Neither install scripts nor optional packages: the embedded PostgreSQL is for demos, not for an image.
RUN npm ci --include=dev --omit=optional --ignore-scripts --json=false
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN PATH="$PWD/node_modules/.bin:$PATH" node scripts/build.mjs
RUN npm prune --omit=dev --omit=optional --ignore-scripts --json=false

FROM node:22-slim
LABEL org.opencontainers.image.title="keyferry" \
      org.opencontainers.image.description="Worker and job queue for AWS connection validation, secret sync and key rotation" \
      org.opencontainers.image.licenses="Apache-2.0"
# Half of Node's default: 20 MB less for every process, at no cost in processor time.
ENV NODE_OPTIONS=--max-semi-space-size=8
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE* ./
COPY bin ./bin
# The base image's user node, by number: Kubernetes' runAsNonRoot cannot judge a name.
USER 1000:1000
EXPOSE 3010
ENTRYPOINT ["node", "/app/bin/keyferry.js"]
CMD ["worker"]
# No HEALTHCHECK: the image cannot know which program runs. docker-compose.yml asks each one with `keyferry doctor --role`.
