#!/bin/sh
# A folder of Infisical, kept equal in Parameter Store. DATABASE_URL and KEYFERRY_ENCRYPTION_KEYS are those of the workers.
set -eu

keyferry connection create --name prod --method assume-role --role-arn "$ROLE_ARN" --region eu-west-1

printf '%s' "$INFISICAL_CLIENT_SECRET" | keyferry source set --project shop --env prod --path /infisical --kind infisical \
  --url "$INFISICAL_URL" --source-project "$INFISICAL_PROJECT" --source-env prod --source-path /api \
  --client-id "$INFISICAL_CLIENT_ID"
keyferry source run --project shop --env prod --path /infisical

keyferry sync create --name infisical --connection prod --project shop --env prod --path /infisical \
  --to parameter-store --region eu-west-1 --prefix /shop/infisical/ --exclude 'LOCAL_*'
keyferry sync run infisical
