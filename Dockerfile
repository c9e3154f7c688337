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
# Of the server; docker-compose.yml asks a worker on the port that it gives it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3010/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
