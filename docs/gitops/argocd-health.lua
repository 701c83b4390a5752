-- Health of every kind of cpr-operator.dev for Argo CD.

-- Reasons for not being Ready that time or another object of the same sync will end. Degraded would end the sync.
local passing = {
  Busy = true, ConfigMapNotFound = true, ConsumerNotFound = true, ConsumerNotReady = true, LimitReached = true, Loading = true,
  NoCredentials = true, NotRead = true, NotStarted = true, NotTried = true, Pending = true, SchemaNotRead = true,
  SecretNotFound = true, SourceNotFound = true, SourceNotReady = true, WaitingForSecret = true, WaitingForVerification = true,
}

local status = obj.status
if status == nil or status.conditions == nil then
  return { status = "Progressing", message = "The operator has not looked at it yet." }
end
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The operator has not looked at the last change yet." }
end

local ready, stalled
for _, condition in ipairs(status.conditions) do
  if condition.type == "Ready" then ready = condition end
  if condition.type == "Stalled" and condition.status == "True" then stalled = condition end
end

if stalled ~= nil then
  return { status = "Degraded", message = stalled.message }
end
if obj.spec ~= nil and obj.spec.suspend then
  return { status = "Suspended", message = "spec.suspend is true." }
end
if ready == nil then
  return { status = "Progressing", message = "The operator has not judged it yet." }
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
if ready.status == "Unknown" or passing[ready.reason] then
  return { status = "Progressing", message = ready.message }
end
return { status = "Degraded", message = ready.message }
