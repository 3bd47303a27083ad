// The service worker of `inServiceWorker`: asks what its page tells it to, and tells what it could read.
self.onmessage = async ({ data, source }) => {
  try {
    const answer = await fetch(data.to, data.init);
    source.postMessage({ status: answer.status, type: answer.type, text: await answer.text() });
  } catch (error) {
    source.postMessage({ thrown: String(error) });
  }
};
self.oninstall = () => self.skipWaiting();
